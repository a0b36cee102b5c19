"""The foremen: each builds its parts, starts them in order, stops them in reverse, and hands each part just what it uses."""
