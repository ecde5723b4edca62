"""What a router knows of health: the board it decides by, the channel to the prober, and the channel's wire form."""
