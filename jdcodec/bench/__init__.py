"""`jdc bench`: code a set of pictures with jdc and with other codecs, measure, and report who wins.

The parts, in the order in which a run uses them: `sets` (pictures to code), `registry` with `libraries`,
`programs`, `ours`, `reference`, `denoisers` and `trained` (codecs under test), `runner` (code, decode,
measure, resume), `summary` (curves, BD-rate, peaks), `results` (JSON and CSV), `plots` and `report` (figures
and the HTML page).
`command` ties them together. `docs/benchmarks.md` describes what comes out.
"""
