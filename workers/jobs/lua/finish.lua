-- An entry has served.
-- KEYS stream   ARGV entry
return finish(KEYS[1], ARGV[1])
