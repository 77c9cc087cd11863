#!/usr/bin/env bash
# Trains a model in a container and copies it out: builds the image, trains on a game's raw tables,
# copies the files of the new champion, and always removes the container.
set -euo pipefail

usage() {
  cat <<'END'
usage: deployments/get_model.sh --game G [--data-dir P] [--out P] [--image NAME] [-- ARGUMENT...]

  --game G       the game, a file in games/
  --data-dir P   the data folder, which holds 01_raw/G (default: data)
  --out P        a new or empty folder for the model's files (default: model-G)
  --image NAME   the image's name (default: churn:latest)
  ARGUMENT...    further arguments of churn train, such as --as-of 2024-07-01

Uses docker, or else podman; set CONTAINER_ENGINE for another.
Exit status: that of the training; 2 if an argument is invalid; 1 if anything else failed.
END
}

fail() {
  echo "error: $1" >&2
  exit "${2:-2}"
}

find_engine() {
  local engine
  for engine in ${CONTAINER_ENGINE:-docker podman}; do
    command -v "$engine" >/dev/null && break
    engine=""
  done
  [[ -n $engine ]] || fail "there is no ${CONTAINER_ENGINE:-docker or podman} on the PATH. Install one."
  "$engine" info >/dev/null 2>&1 \
    || fail "$engine does not answer: '$engine info' fails. Is its service running?"
  echo "$engine"
}

container="" staging="" child=""

clean_up() {
  [[ -z $child ]] || kill "$child" 2>/dev/null || true
  [[ -z $container ]] || "$engine" rm --force --volumes "$container" >/dev/null 2>&1 || true
  [[ -z $staging ]] || rm -rf "$staging"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# In the background, because bash handles a signal only after a foreground command ends.
run() {
  local status=0
  "$@" &
  child=$!
  wait "$child" || status=$?
  child=""
  return "$status"
}

project=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
game="" data_dir=$project/data out="" image=churn:latest

while (($#)); do
  case $1 in
    --game | --data-dir | --out | --image)
      (($# > 1)) || fail "$1 needs a value."
      name=${1#--}
      printf -v "${name//-/_}" %s "$2"
      shift 2
      ;;
    --help | -h) usage && exit ;;
    --) shift && break ;;
    *) usage >&2 && fail "unknown argument: $1" ;;
  esac
done

[[ $game ]] || { usage >&2 && fail "--game is required."; }
raw=$data_dir/01_raw/$game out=${out:-model-$game}
# The files are collected beside the folder, not in it.
while [[ $out == ?*/ ]]; do out=${out%/}; done
[[ ! $out =~ (^|/)\.\.?$ ]] || fail "$out cannot be replaced. Name the folder of --out itself."
[[ -f $project/games/$game.toml ]] || fail "there is no game '$game': no $project/games/$game.toml."
[[ -d $raw ]] || fail "$game has no raw tables: there is no folder $raw. Name another --data-dir."
[[ ! -e $out || (-d $out && -z $(ls -A "$out")) ]] || fail "$out is not an empty folder. Name another --out."
[[ -z $(find "$raw" ! -perm -o=r -o -type d ! -perm -o=x) ]] || fail "the container's user may not read $raw. Run chmod -R a+rX on it."
raw=$(cd "$raw" && pwd)
engine=$(find_engine)

run "$engine" build --tag "$image" "$project" || fail "the image could not be built." 1

container=churn-get-model-$$-$RANDOM
"$engine" create --name "$container" --security-opt label=disable \
  --volume "$raw:/app/data/01_raw/$game:ro" \
  "$image" churn train --game "$game" --from-raw "$@" >/dev/null
status=0
run "$engine" start --attach "$container" || status=$?
((status == 0)) || fail "the training ended with exit status $status." "$status"

# The folder of models is new, so it holds only the trained version and the pointer to it.
mkdir -p "$(dirname "$out")"
staging=$(mktemp -d "$out.XXXXXX")
"$engine" cp "$container:/app/data/06_models/$game/." "$staging"
version=$(sed -n 's/.*"version": *"\([^"]*\)".*/\1/p' "$staging/champion.json")
[[ $version && -f $staging/$version/manifest.json ]] || fail "the training left no champion." 1
[[ ! -d $out ]] || rmdir "$out"
mv "$staging/$version" "$out"
echo "$game: model $version is in $out"
