"""Real servers, brought up by the tests themselves: as an ordinary user, on loopback, in a folder of their own."""
