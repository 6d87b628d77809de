# SQLite, to be linked into Python's module.
sh /src/unpack.sh sqlite3
cd /src/sqlite3
./configure -q --prefix=/opt/python --disable-tcl --disable-shared --disable-readline --with-pic \
    CFLAGS='-O2 -g0 -DSQLITE_ENABLE_DBSTAT_VTAB'
make -s -j"$(nproc)" libsqlite3.la sqlite3.h
make -s install
cd /
rm -rf /src/sqlite3
