#!/bin/sh
# Keeps a server that the test processes of one run share: it outlives the process that started it, and ends
# when nobody has held a lock on FOLDER/users for IDLE seconds. If this is killed, the server ends with it.
# keep.sh FOLDER IDLE COMMAND...
set -u
folder=$1 idle_limit=$2
shift 2
cd "$folder" || exit 1
exec 8>>keeper 9>>users
flock --nonblock 8 || exit 1

"$@" 8>&- 9>&- &
server=$!

idle=0
while sleep 1; do
  kill -0 "$server" 2>/dev/null || exit 1
  if flock --nonblock 9; then
    idle=$((idle + 1))
    # The lock stays with us: who comes now waits, finds that the folder is gone, and makes a new one.
    [ "$idle" -ge "$idle_limit" ] && break
    flock --unlock 9
  else
    idle=0
  fi
done

kill -QUIT "$server"
wait "$server"
cd /
mv "$folder" "$folder.gone" && rm -rf "$folder.gone"
