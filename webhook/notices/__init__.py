"""Telling people what waits for them and how it ended: mail, and robots of WeCom and DingTalk groups."""
