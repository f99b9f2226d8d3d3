"""An archive of photos over many machines: one job on a Dask cluster, from folders or buckets to others.

`driver` plans, hands out batches and counts; `worker` is what runs on the machines; `manifest` remembers what
is done; `listing` and `storage` know folders and buckets; `scheduler` is the connection to Dask; `capacity`
reckons how many machines a job needs. Dask and fsspec (the extra `cluster`) are imported where a job starts,
never with this package.
"""
