"""The options of `federation', `s2s' and `remotes' at the ends of their ranges."""

from options import BOTH, MAX, sworn

READ = "that it is taken is shown in tests/unit/test_conf_federation.c"

sworn("federation: allow", MAX, "a thousand domains; tests/unit/test_federation.c")
sworn("federation: local", MAX, "a list that is gone through at a reload alone")
sworn("federation: deny", MAX, "a thousand domains; tests/unit/test_federation.c")
for name in ("timeout", "idle_timeout", "backoff_max",
             "unreachable_after", "queue_bytes", "queue_stanzas", "domains", "bytes_per_second",
             "stanzas_per_second"):
    sworn("s2s: " + name, BOTH, READ)
sworn("s2s: keep", BOTH, "for how long, and that 0s keeps nothing, is shown in "
      "tests/e2e/test_s2s_log.py and tests/unit/test_remote_log.c")
sworn("remotes: port", BOTH, READ)
