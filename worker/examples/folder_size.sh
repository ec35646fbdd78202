#!/bin/sh
# How many KiB a folder takes up: warmpool-worker --wrap lines -- folder_size.sh keeps it running, one line a task.
while read -r line; do
  path=${line#*'"payload":"'} path=${path%'"}'} # the payload comes last; a name with " or \ in it wants a JSON parser
  if size=$(du -sk -- "$path"); then echo "{\"result\":${size%%[!0-9]*}}"; else echo '{"error":"cannot be read","final":true}'; fi
done
