`pymq-bench recovery --folder DIR` fills a store, kills the process that does it and times the next start.
