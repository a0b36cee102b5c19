A stop no longer waits three seconds for a client that reads nothing: it is cut off after half a second, one that reads slowly still gets its answers.
