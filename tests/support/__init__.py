"""Helpers of the tests: real servers, waiting, crash-simulating storage."""
