Message traces: those of Java clients are kept and found, and Python producers and push consumers write them with ``enable_msg_trace=True``.
