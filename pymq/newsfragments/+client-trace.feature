Traces tell of the ends of transactions and of what pull consumers pull; a Python consumer's running info has the ``statusTable`` of what it pulled, consumed and failed lately.
