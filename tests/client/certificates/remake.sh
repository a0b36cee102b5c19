#!/bin/sh
# Signs everything anew, for a hundred years, with the keys that are here; the authority's own is thrown away.
# Version 3 with identifiers and usages, for Python verifies strictly from 3.13 on (VERIFY_X509_STRICT).
set -eu
cd "$(dirname "$0")"
days=36500
work=$(mktemp -d)
for name in authority stranger; do
    openssl req -x509 -newkey rsa:2048 -nodes -days $days -subj "/CN=pymq test $name" -keyout "$work/$name.key" -out $name.pem \
        -addext "keyUsage=critical,keyCertSign,cRLSign"
done
printf 'basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature,keyEncipherment\nsubjectKeyIdentifier=hash
authorityKeyIdentifier=keyid\n' > "$work/leaf"
sign() { # NAME USAGE PASSWORD
    { cat "$work/leaf"; echo "extendedKeyUsage=$2"; } > "$work/$1.ext"
    openssl req -new -key "$1.key.pem" -passin "pass:$3" -subj "/CN=pymq test $1" -out "$work/$1.csr"
    openssl x509 -req -in "$work/$1.csr" -CA authority.pem -CAkey "$work/authority.key" -days $days -extfile "$work/$1.ext" \
        -set_serial "0x$(openssl rand -hex 16)" -out "$1.pem"
}
sign server serverAuth ""
sign client clientAuth secret
rm -r "$work"
