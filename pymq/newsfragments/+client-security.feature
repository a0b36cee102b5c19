Clients sign their requests (``access_key``, ``secret_key``, ``security_token``) and connect over TLS (``tls_enable`` and what belongs to it).
