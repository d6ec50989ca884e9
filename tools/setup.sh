# What ./gossamer and ./test share: installing packages and building a preset, each with progress. Sourced by bash, with $root
# set to the repository. Everything that is said goes to stderr: stdout belongs to the program's answer.

say() { printf 'gossamer: %s\n' "$*" >&2; }
fail() { say "$@"; exit 1; }

# progress_line TEXT: redraws one line on a terminal; nothing elsewhere.
on_terminal() { [ -t 2 ] && [ "${TERM:-dumb}" != dumb ]; }
progress_line() { if on_terminal; then printf '\r\033[K%s' "$1" >&2; fi; }

# packages_of GROUP...: the package names of these groups of tools/packages.txt.
packages_of() {
  local group
  for group in "$@"; do sed -n "s/^$group: //p" "$root/tools/packages.txt"; done
}

# install_packages GROUP...: installs what is missing of these groups, and says so before it does.
install_packages() {
  local wanted missing log=$root/build/install.log sudo=
  mapfile -t wanted < <(packages_of "$@" | tr ' ' '\n')
  if ! command -v apt-get >/dev/null; then
    command -v cmake >/dev/null && command -v ninja >/dev/null && command -v g++ >/dev/null && return
    fail "this system has no apt-get. Install what these Debian packages hold, then try again: ${wanted[*]}"
  fi
  mapfile -t missing < <(missing_packages "${wanted[@]}")
  [ ${#missing[@]} -gt 0 ] || return 0

  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null ||
      fail "these packages are missing, and installing them needs root or sudo. Ask for: apt-get install ${missing[*]}"
    sudo=sudo
  fi
  say "installing Debian packages with ${sudo:+sudo }apt-get: ${missing[*]}"
  [ -z "$sudo" ] || sudo -v || fail "sudo was refused, so the packages above cannot be installed."
  mkdir -p "$root/build"
  { $sudo apt-get update -q -o DPkg::Lock::Timeout=120 &&
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
      -o DPkg::Lock::Timeout=120 -o APT::Status-Fd=1 "${missing[@]}"; } 2>&1 </dev/null |
    tee "$log" | show_install_progress || true
  mapfile -t missing < <(missing_packages "${missing[@]}")
  [ ${#missing[@]} = 0 ] || { tail -n 15 "$log" >&2; fail "apt-get did not install ${missing[*]}; its full output is in $log"; }
}

# has_cargo: a cargo that is new enough (cmake/rust.cmake) is there already, from wherever.
has_cargo() {
  local version
  version=$(PATH=$PATH:$HOME/.cargo/bin cargo --version 2>/dev/null) || return 1
  [[ $version =~ ^cargo\ ([0-9]+)\.([0-9]+) ]] && [ $((BASH_REMATCH[1] * 1000 + BASH_REMATCH[2])) -ge 1087 ]
}

missing_packages() {
  local wanted=("$@")
  if has_cargo; then wanted=("${wanted[@]/#cargo-web/}"); fi
  comm -23 <(printf '%s\n' "${wanted[@]}" | sed '/^$/d' | sort) \
    <(dpkg-query -W -f='${db:Status-Status} ${Package}\n' "$@" 2>/dev/null | sed -n 's/^installed //p' | sort)
}

# Reads apt's status lines ("dlstatus:1:12.5:Retrieving ...", "pmstatus:g++:40:Unpacking ...").
show_install_progress() {
  local line pattern='^(dl|pm)status:.*:([0-9]+)\.[0-9]+:'
  while IFS= read -r line; do
    [[ $line =~ $pattern ]] || continue
    case ${BASH_REMATCH[1]} in
      dl) progress_line "installing packages: download ${BASH_REMATCH[2]} %" ;;
      pm) progress_line "installing packages: set up ${BASH_REMATCH[2]} %" ;;
    esac
  done
  progress_line ''
}

# build_preset PRESET [cmake --build options]: configures where needed, then compiles; on a terminal one moving line, else a
# line a quarter. The full output is in build/PRESET.log.
build_preset() {
  local preset=$1 log=$root/build/$1.log started=$SECONDS launcher=
  shift
  mkdir -p "$root/build"
  if command -v ccache >/dev/null; then launcher=ccache; fi
  if [ ! -e "$root/build/$preset/build.ninja" ]; then
    on_terminal && progress_line "configuring $preset" || say "building $preset with $(nproc) processors"
    local without=()
    fetch_crates || without=(-DGOSSAMER_GRAMMAR=OFF)
    (cd "$root" && cmake --preset "$preset" -DCMAKE_CXX_COMPILER_LAUNCHER="$launcher" "${without[@]}") >"$log" 2>&1 || build_failed "$preset" "$log"
  fi
  (cd "$root" && NINJA_STATUS='[%f/%t] ' TERM=dumb cmake --build --preset "$preset" "$@") 2>&1 |
    tee "$log" | show_build_progress "$preset" || build_failed "$preset" "$log"
  if [ $((SECONDS - started)) -gt 2 ]; then say "built $preset in $((SECONDS - started)) s"; fi
}

# fetch_crates: what cargo needs to compile the schema engine. Without it everything else can be built.
fetch_crates() {
  local log=$root/build/crates.log
  (PATH=$PATH:$HOME/.cargo/bin && cd "$root/rust/grammar" && cargo fetch --quiet --locked) >"$log" 2>&1 && return
  say "cargo cannot fetch the crates of the schema engine (see $log): building without it; requests with a JSON schema will be refused"
  return 1
}

build_failed() {
  grep -A 12 -m 3 -E 'error:|Error|FAILED' "$2" >&2 || tail -n 25 "$2" >&2
  fail "building $1 failed; the full output is in $2"
}

# Reads ninja's lines "[12/80] Building CXX object src/...".
show_build_progress() {
  local line done total quarters=0 pattern='^\[([0-9]+)/([0-9]+)\] (.*)'
  while IFS= read -r line; do
    [[ $line =~ $pattern ]] || continue
    done=${BASH_REMATCH[1]} total=${BASH_REMATCH[2]}
    if on_terminal; then
      progress_line "building $1: $done of $total, ${BASH_REMATCH[3]##*/}"
    elif [ "$total" -ge 8 ] && [ $((4 * done / total)) -gt "$quarters" ] && [ "$done" != "$total" ]; then
      quarters=$((4 * done / total))
      say "building $1: $done of $total"
    fi
  done
  progress_line ''
}

# install_cuda_lint_wheels: and what reads its machine code.
install_cuda_lint_wheels() {
  local wheels=$root/build/cuda-wheels wanted=$root/tools/cuda-lint-wheels.txt
  install_cuda_wheels
  if cmp -s "$wanted" "$wheels/.lint_installed"; then return; fi
  "$wheels/bin/pip" install --quiet --requirement "$wanted" || fail "the wheels of $wanted could not be installed"
  cp "$wanted" "$wheels/.lint_installed"
}

# install_cuda_wheels: the compiler for GPUs, pinned, into build/cuda-wheels.
install_cuda_wheels() {
  local folder=$root/build/cuda-wheels log=$root/build/cuda-wheels.log wanted=$root/tools/cuda-wheels.txt
  if cmp -s "$wanted" "$folder/.installed"; then return; fi
  install_packages build lint
  say "installing NVIDIA's compiler into build/cuda-wheels (0.3 GB)"
  rm -rf "$folder"
  { python3 -m venv "$folder" && "$folder/bin/pip" install --quiet --requirement "$wanted"; } >"$log" 2>&1 ||
    { tail -n 15 "$log" >&2; fail "the wheels could not be installed; the full output is in $log"; }
  cp "$wanted" "$folder/.installed"
}
