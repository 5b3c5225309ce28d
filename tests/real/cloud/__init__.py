"""What the real OpenStack's own Python runs: started as files, never imported by the tests."""
