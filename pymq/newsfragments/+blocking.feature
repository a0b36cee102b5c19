``pymq.blocking``: the clients for threads and scripts, with ``with`` and ``for``; safe after a fork, at the end of the process and under Ctrl-C.
