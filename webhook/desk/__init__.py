"""What can be done with a task, whoever asks: the API, the pages, a signed webhook or the launcher's chores."""
