The name servers of a running client can be replaced (``update_name_server_address_list``), or come from an address server over HTTP (``namesrv_domain``), as Java's ``rocketmq.namesrv.domain``.
