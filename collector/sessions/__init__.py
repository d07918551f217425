"""API keys and logins: one Login per credential, Logout always, and what WhoAmI says of a session."""
