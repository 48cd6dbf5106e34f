"""The online engine: requests, admission, deadlines and one worker."""
