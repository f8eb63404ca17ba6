"""Jobs on Redis Streams: work that outlives a connection, a process and a host."""
