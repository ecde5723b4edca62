"""`make bench`: what the router costs, beside bare relays that are measured in the same run on the same core."""
