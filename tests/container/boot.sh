#!/bin/sh
# Run by keeper.py as the first process of namespaces of its own (processes and mounts): it lays out a root file
# system in memory and boots it. When this process ends, in whatever way, the kernel ends all others in here and
# takes the mounts away, so nothing can be left behind.
#
# Usage: boot.sh FOLDER ROOTFS_TAR PYTHON_TAR CGROUPS NSPAWN_ARGUMENTS…
#   FOLDER has `files`, which are copied over the root file system; CGROUPS are the folders to run in, with blanks between.
set -eu
folder=$1 rootfs=$2 python=$3 cgroups=$4
shift 4
root=$folder/root
# Whatever the person's own umask is: all accounts inside read what is installed here.
umask 022
chmod -R u=rwX,go=rX "$folder/files"

# Where nspawn notes what it runs: two sessions must not meet there.
mount -t tmpfs -o mode=0755 tmpfs /run
mkdir "$root"
mount -t tmpfs -o mode=0755 tmpfs "$root"
tar --extract --numeric-owner --file="$rootfs" --directory="$root"
tar --extract --numeric-owner --file="$python" --directory="$root"
cp --recursive --no-dereference --preserve=mode,timestamps "$folder/files/." "$root"
for packages in "$root"/nix/store/*-nix-trinity-[0-9]*/lib; do
  chroot "$root" python3 -m compileall -q --invalidation-mode unchecked-hash "${packages#"$root"}"
done

# systemd-nspawn ends with 133 when the container asks for a reboot.
again=133
while [ "$again" -eq 133 ]; do
  again=0
  (
    for cgroup in $cgroups; do
      echo 0 >"$cgroup/cgroup.procs"
    done
    exec systemd-nspawn --directory="$root" "$@"
  ) || again=$?
done
exit "$again"
