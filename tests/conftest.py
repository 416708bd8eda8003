"""Settings of all tests."""

from hypothesis import settings

settings.register_profile("untimed", deadline=None)  # a busy machine must not make a test fail
settings.load_profile("untimed")
