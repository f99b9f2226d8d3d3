"""The networks run for coding, on numpy arrays: with OpenVINO on processors, with torch on other devices.

The networks themselves and how they are trained are `jdcodec.model` and `jdcodec.training`; here they only
run, from the arrays of a weights file. `start_inference` picks the runtime. Nothing here imports torch unless
a device that needs it is asked for.
"""
