import type { Producer } from './producer.ts';

const SFTP_SERVER = '/usr/lib/openssh/sftp-server';

const GIT = `
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null
git() { command git -c user.name=a -c user.email=a@example.com -c gc.auto=0 -c protocol.file.allow=always "$@"; }
commit() { fill "$OUT/repo"; git -C "$OUT/repo" add .; git -C "$OUT/repo" commit -qm "$N"; }
`;
const GIT_BEFORE = `${GIT} git init -q "$OUT/repo"; commit; git -C "$OUT/repo" branch other`;

/** A map with a page that is dirty already: a store into it changes no time. */
const MAPPED = `
import mmap, random, sys, time
chosen = random.Random(int(sys.argv[2]))
with open(sys.argv[1], 'w+b') as file:
    file.truncate(65536)
    with mmap.mmap(file.fileno(), 65536) as mapped:
        for turn in range(6):
            mapped[0:8] = b'turn %03d' % turn
            at = chosen.randrange(1, 16) * 4096
            mapped[at:at + 8] = b'turn %03d' % turn
            time.sleep(chosen.choice([0, 0.02, 0.15, 0.4]))
`;

const LOGROTATE = (how: string): string => `
printf '"%s" {\\n rotate 5\\n size 1\\n missingok\\n ${how}\\n}\\n' "$DIR/app.log" > "$OUT/rotate.conf"
exec 7>> "$DIR/app.log"
for i in 1 2 3; do echo "$N $i $RANDOM" >&7; done
pause 200
logrotate -f -s "$OUT/rotate.state" "$OUT/rotate.conf"
echo "after $N" >&7
`;

/** Everything that is known to set the mark's bit by itself, or to rename, replace or change files in a way of its own. */
export const PRODUCERS: readonly Producer[] = [
  { name: 'rsync', tools: ['rsync'], round: 'refill; rsync -a "$OUT/src/" "$DIR/"' },
  {
    name: 'rsync-inplace',
    tools: ['rsync'],
    round: 'refill; rsync -a --inplace --no-whole-file "$OUT/src/" "$DIR/"',
  },
  { name: 'rsync-chmod', tools: ['rsync'], round: 'refill; rsync -a --chmod=g+w "$OUT/src/" "$DIR/"' },
  { name: 'cp-p', tools: ['cp'], round: 'refill; cp -p "$OUT/src/"f* "$OUT/src/changing" "$DIR/"' },
  { name: 'cp-a', tools: ['cp'], round: 'refill; cp -a "$OUT/src/." "$DIR/copy-$((N % 3))"' },
  {
    name: 'tar',
    tools: ['git', 'tar'],
    before: GIT_BEFORE,
    // Root's tar keeps modes by default; `git archive` gives 664.
    round: `${GIT} commit; git -C "$OUT/repo" archive HEAD | tar -xp -C "$DIR"`,
  },
  {
    name: 'unzip',
    tools: ['unzip', 'python3'],
    round: `refill; rm -f "$OUT/a.zip"; (cd "$OUT/src"; python3 -m zipfile -c "$OUT/a.zip" *)
      unzip -q -o "$OUT/a.zip" -d "$DIR"`,
  },
  {
    name: 'git-clone',
    tools: ['git'],
    before: GIT_BEFORE,
    // Objects are hard links: the same files in each clone. git compares a link with its source by their times, so a mark that
    // is set on another clone's link at that moment makes it give up, and remove what it has made.
    round: `${GIT} commit; for try in 1 2 3 4 5; do git clone -q "$OUT/repo" "$DIR/clone-$N" && break; done
      [ -d "$DIR/clone-$N/.git" ]`,
  },
  {
    name: 'git-checkout',
    tools: ['git'],
    before: GIT_BEFORE,
    round: `${GIT} umask 002; commit
      [ -d "$DIR/work" ] || git clone -q --no-hardlinks -c core.sharedRepository=group "$OUT/repo" "$DIR/work"
      cd "$DIR/work"; git fetch -q; git checkout -q origin/other; pause 100; git checkout -q origin/HEAD`,
  },
  {
    name: 'sqlite',
    tools: ['sqlite3'],
    round: `for mode in delete wal; do sqlite3 "$DIR/$mode.db" "pragma journal_mode=$mode; create table if not exists t (n, b);
      insert into t values ($N, randomblob($((RANDOM % 9000)))); update t set n = n + 1 where n % 3 = 0;" > "$OUT/sqlite"; done`,
  },
  { name: 'logrotate-create', tools: ['logrotate'], round: LOGROTATE('create 0664') },
  { name: 'logrotate-copytruncate', tools: ['logrotate'], round: LOGROTATE('copytruncate') },
  {
    name: 'sftp',
    tools: ['sftp', SFTP_SERVER],
    round: `refill
      for f in "$OUT/src/"f* "$OUT/src/changing"; do echo "put -p \\"$f\\" \\"$DIR/\${f##*/}\\""; done > "$OUT/batch"
      sftp -q -D ${SFTP_SERVER} -b "$OUT/batch" > "$OUT/sftp"`,
  },
  {
    name: 'ffmpeg',
    tools: ['ffmpeg'],
    round: `ffmpeg -nostdin -v error -re -f lavfi -i testsrc=duration=1.2:size=160x120:rate=10 -c:v mpeg4 -g 3 \\
      -f segment -segment_time 0.3 "$DIR/clip-$N-%03d.avi"`,
  },
  {
    name: 'vim',
    tools: ['vim'],
    // A backup and a new file in its place; or the same file, written again.
    round: `for copy in no yes; do f="$DIR/text-$copy"; [ -e "$f" ] || { seq 500 > "$f"; chmod 664 "$f"; }
      vim -es -u NONE -i NONE -N -c "set backup writebackup backupcopy=$copy" -c "1s/^/$N /" -c wq "$f"; done`,
  },
  {
    name: 'install',
    tools: ['install'],
    round: 'refill; install -p -m 664 "$OUT/src/"f* "$OUT/src/changing" "$DIR"',
  },
  {
    name: 'mmap',
    tools: ['python3'],
    before: `cat > "$OUT/mapped.py" <<'END'${MAPPED}END`,
    round: 'python3 "$OUT/mapped.py" "$DIR/mapped-$N" "$SEED"',
  },
  {
    name: 'umask-002',
    tools: [],
    round: `umask 002; mkdir -p "$DIR/sub"
      for i in $(seq 30); do echo "$N $i" > "$DIR/.f$N-$i"; mv "$DIR/.f$N-$i" "$DIR/f$N-$i"
        echo "$N" > "$DIR/sub/g$i.part"; mv "$DIR/sub/g$i.part" "$DIR/sub/g$i"; done`,
  },
  {
    name: 'default-acl',
    tools: ['setfacl'],
    round: `setfacl -m u:nobody:rwx,d:u:nobody:rwx "$DIR"; fill "$DIR"
      for i in 1 2 3; do echo "$N $i" > "$DIR/.t"; mv "$DIR/.t" "$DIR/t$N-$i"; done
      echo "$N" > "$DIR/last"; setfacl -m u:bin:rw "$DIR/last"`,
  },
  { name: 'chmod-R', tools: [], round: 'fill "$DIR"; echo "$N" > "$DIR/again"; chmod -R g+rwX "$DIR"' },
  {
    name: 'hard-links',
    tools: ['ln'],
    round: `fill "$DIR"; ln "$DIR/f$N-1" "$DIR/link$N"; ln "$DIR/f$N-3" "$DIR/sub/link$N"
      ln -f "$DIR/f$N-2" "$DIR/latest"; mkdir -p "$PREV/sub"; ln "$DIR/f$N-1" "$PREV/sub/other$N"`,
  },
  {
    name: 'renamed-directory',
    tools: [],
    round: `fill "$DIR/new-$N"; mv "$DIR/new-$N" "$DIR/done-$N"
      mkdir "$ROOT/R$N.rec"; fill "$ROOT/R$N.rec"; pause 400; mv "$ROOT/R$N.rec" "$ROOT/R$N"
      pause 100; echo "late $N" > "$ROOT/R$N/late"; : > "$ROOT/R$N/finished.parse"`,
  },
  {
    name: 'moved-in',
    tools: [],
    round: `fill "$OUT/t$N"; mv "$OUT/t$N" "$DIR/t$N"
      mkdir "$OUT/M$N"; fill "$OUT/M$N"; : > "$OUT/M$N/finished.parse"; mv "$OUT/M$N" "$ROOT/M$N"`,
  },
  {
    name: 'templates',
    tools: [],
    copiesSeals: true,
    // Closed already when it comes; open, and closed later; and copied in place.
    round: `fill "$DIR"
      sealed=$(ls -d "$ROOT"/DC*/finished.watch 2> "$OUT/none" | shuf -n 1 || true)
      if [ -n "$sealed" ]; then from=$(dirname "$sealed"); cp -a "$from" "$OUT/T$N"; echo "$N" > "$OUT/T$N/data"
        case $((N % 3)) in
        0) mv "$OUT/T$N" "$ROOT/T$N";;
        1) rm -f "$OUT/T$N/finished.parse"; mv "$OUT/T$N" "$ROOT/T$N"; pause 300; echo "$N" > "$ROOT/T$N/late";;
        2) rm -f "$OUT/T$N/finished.parse"; cp -a "$OUT/T$N" "$ROOT/T$N"; echo "$N" > "$ROOT/T$N/late"; rm -r "$OUT/T$N";;
        esac; fi`,
  },
  {
    name: 'moved-between',
    tools: [],
    round: `fill "$PREV"; pause 100; mv "$PREV/f$N-1" "$DIR/"; mv "$PREV/f$N-2" "$DIR/same"; mv "$PREV/f$N-3" "$DIR/"
      mkdir "$PREV/m$N"; fill "$PREV/m$N"; mv "$PREV/m$N" "$DIR/"; echo "$N" >> "$PREV/same"`,
  },
  {
    name: 'cameras',
    tools: [],
    // Two directories in use at a time, one file of each always growing.
    round: `for d in "$PREV" "$DIR"; do echo "$N $RANDOM" >> "$d/log"; echo "$N" > "$d/segment-$N"; pause 100; done`,
  },
  {
    name: 'unclosed',
    tools: [],
    neverCloses: true,
    scanArgs: ['--quiet=2'],
    // One writer pauses for longer than that, with its file open.
    round: `fill "$DIR"; if [ $((N % 5)) -eq 0 ]; then
      (exec 7> "$DIR/held-$N"; echo one >&7; sleep 3; echo two >&7) > "$OUT/held" 2>&1 & fi`,
  },
];
