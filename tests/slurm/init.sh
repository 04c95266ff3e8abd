# The first process of a cluster on this machine, in namespaces of its own: what is private to it is mounted, then the daemons start.
# Environment: STATE, the cluster's directory; LOGIN, a user's line of passwd(5); NODES, their names; CLOSED, directories on the way to what the
# user needs; COMMAND, what that user may do as root; ACCOUNTS, the cluster's name if it has accounts.
set -eu
mkdir -p /var/lib/transproc
for place in /var/lib/transproc /run /etc/sudoers.d; do mount -t tmpfs -o mode=755 tmpfs "$place"; done
# The user's programs may be in root's home: others may pass through there, in here.
for place in $CLOSED; do
    mkdir -p "/run/closed$place"
    mount --bind "$place" "/run/closed$place"
    mount -t tmpfs -o mode=711 tmpfs "$place"
    for inner in "/run/closed$place"/* "/run/closed$place"/.[!.]*; do
        [ -d "$inner" ] || continue
        mkdir "$place/${inner##*/}"
        mount --bind "$inner" "$place/${inner##*/}"
    done
done
{ cat /etc/passwd; echo "$LOGIN"; } >/run/passwd
{ cat /etc/shadow; echo "${LOGIN%%:*}:*:20000::::::"; } | install -m 600 /dev/stdin /run/shadow
mount --bind /run/passwd /etc/passwd
mount --bind /run/shadow /etc/shadow
install -m 440 /dev/null /etc/sudoers.d/test
printf 'Defaults:%s env_keep += "TRANSPROC_SLURM"\n%s ALL=(root) NOPASSWD: %s\n' "${LOGIN%%:*}" "${LOGIN%%:*}" "$COMMAND" >/etc/sudoers.d/test
cd "$STATE"
mkdir /run/munge
munged --key-file="$STATE/munge.key" --pid-file=/run/munged.pid --log-file="$STATE/munged.log" \
    --seed-file="$STATE/munge.seed" --force
export SLURM_CONF="$STATE/slurm.conf"
if [ -n "$ACCOUNTS" ]; then
    mkdir /run/mysqld
    mariadb-install-db --user=root --datadir=/run/database --skip-test-db --auth-root-authentication-method=normal >"$STATE/database.log"
    mariadbd --no-defaults --user=root --datadir=/run/database --socket=/run/mysqld/mysqld.sock --skip-networking \
        --innodb-log-file-size=16M >>"$STATE/database.log" 2>&1 &
    until [ -S /run/mysqld/mysqld.sock ]; do sleep 0.1; done
    slurmdbd
    until sacctmgr -n show cluster; do sleep 0.2; done
    sacctmgr -i add cluster "$ACCOUNTS"
    sacctmgr -i add qos graced gracetime=30
    sacctmgr -i add qos urgent preempt=normal,graced
    sacctmgr -i modify account root set qos+=urgent,graced
    sacctmgr -i add account users
    # not the whole cluster
    for partition in x86 arm; do sacctmgr -i add user "${LOGIN%%:*}" account=users partition="$partition"; done
fi
slurmctld
for node in $NODES; do slurmd -N $node; done
cat >/dev/null # until whoever has started us ends, in whatever way; what has lost its parent is waited for meanwhile
