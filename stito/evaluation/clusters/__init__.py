"""Whether sounds of one class, a genre or a song, lie together in an encoder's embedding."""
