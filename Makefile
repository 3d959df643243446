.PHONY: demo test check bench

# A private PostgreSQL and a private MariaDB, Panoptes before both, a workload through it, the events as they come; Ctrl-C ends it.
ARGS ?=
demo:
	@scripts/demo $(ARGS)

# Everything there is to test, against real servers and clients. Installs what it needs.
test:
	@scripts/test

# What must hold before a change goes in: format, lints, dependencies, tests.
check:
	@scripts/check

# The cost of the path, beside direct connections, haproxy, pgbouncer and a bare forwarder.
bench:
	@benches/run
