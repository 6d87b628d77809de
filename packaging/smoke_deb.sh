#!/bin/sh
# smoke_deb.sh DEB ROOT: install the package in a copy of ROOT, a bare Debian, serve as its user, upgrade it, remove it,
# purge it. Needs to be root. There is no network and no process of the copy left when it ends.
set -eu
if [ "${1:-}" != --inside ]; then
    if [ ! -f "$1" ]; then echo "$1 is not there: make deb builds it" >&2; exit 1; fi
    if [ ! -d "$2/var/lib/dpkg" ]; then echo "$2 is not there: make test-binary makes it" >&2; exit 1; fi
    copy=$(mktemp -d)
    trap 'rm -rf "$copy"' EXIT
    chmod 755 "$copy"
    cp -a "$2/." "$copy"
    cp "$1" "$copy/tmp/package.deb"
    # A network of its own, which has not even loopback yet.
    unshare --mount --pid --net --fork --kill-child sh "$0" --inside "$copy"
    echo "1 passed, 0 failed"
    exit
fi

root=$2
mount -t proc proc "$root/proc"
within() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C DEBIAN_FRONTEND=noninteractive "$@"; }
is() {
    told=$1
    shift
    if ! "$@"; then echo "FAILED $told" >&2; exit 1; fi
    echo "$told"
}

within dpkg -i /tmp/package.deb >"$root/tmp/log" 2>&1 || { cat "$root/tmp/log" >&2; exit 1; }
settings=$root/etc/glance-appliance/appliance.toml
data=$root/var/lib/glance-appliance
enabled=$root/etc/systemd/system/multi-user.target.wants/glance-appliance.service
is "installed, and enabled for the next boot" test -L "$enabled"
is "the settings are for the service alone" test "$(stat -c %a "$settings")" = 640
is "every file is as it was packed" within dpkg --verify glance-appliance

within install -d -m 700 -o glance-appliance -g glance-appliance /var/lib/glance-appliance
within su -s /bin/sh glance-appliance -c 'glance-appliance serve --data-dir /var/lib/glance-appliance \
    --config /etc/glance-appliance/appliance.toml --host 127.0.0.1 --image-port 0 --identity-port 0' \
    >"$root/tmp/out" 2>"$root/tmp/log" &
tries=0
until grep -q '^identity' "$root/tmp/out"; do
    tries=$((tries + 1))
    if [ $tries -gt 300 ]; then cat "$root/tmp/log" >&2; exit 1; fi
    sleep 0.1
done
is "it serves as its own user" test "$(stat -c %a "$data/clouds.yaml")" = 600
within glance-appliance status --data-dir /var/lib/glance-appliance -f value -c state || true
kill %1 2>/dev/null || true

echo '# mine' >>"$settings"
within dpkg -i /tmp/package.deb >/dev/null
is "an upgrade keeps the settings" grep -q '^# mine' "$settings"
within dpkg -r glance-appliance >/dev/null 2>&1
is "removing takes the program" test ! -e "$root/usr/lib/glance-appliance"
is "removing keeps the images" test -d "$data"
is "removing keeps the settings" test -e "$settings"
within dpkg -P glance-appliance >/dev/null 2>&1
is "purging deletes the images" test ! -e "$data"
is "purging deletes the settings" test ! -e "$settings"
umount "$root/proc"
