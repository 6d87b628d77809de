# OpenSSL, as two shared libraries that Python's modules share. Certificates of authorities are looked for in /etc/ssl.
sh /src/unpack.sh openssl
cd /src/openssl
./Configure linux-x86_64 --release --prefix=/opt/python --libdir=lib --openssldir=/etc/ssl \
    shared no-apps no-docs no-tests no-module no-legacy no-ssl3 no-zlib '-Wl,-rpath,/opt/python/lib' -g0
make -s -j"$(nproc)" build_libs
make -s install_dev
cd /
rm -rf /src/openssl
