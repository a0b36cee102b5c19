"""The tests. On a busy machine an example of Hypothesis may well take longer than its 200 ms: that says nothing of the code."""

from hypothesis import HealthCheck, settings

settings.register_profile("pymq", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("pymq")
