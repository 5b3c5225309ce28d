"""Who somebody is: sessions of browsers, API tokens, and the providers that vouch for people."""
