"""Statistics for contact-centre figures: pure functions, each naming its unit, shape and source.

Modules: `intervals`, `spc` (control charts and rule sets), `funnel`, `comparison` (tests against a
target, false-discovery rate), `shrinkage`, `agreement`, `icc`, `decomposition`, `change`,
`sampling`, `resampling`, `queueing` and `pareto`. Import the module you need: nothing is loaded before.
"""
