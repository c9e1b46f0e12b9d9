import { PACKAGE } from '../../packaging/deb/names.ts';

/**
 * In the place of systemctl, where no systemd runs: it writes down what it is asked, and stops and starts the receiver's unit as systemd
 * would, with its user, its credential and its command. What asks it, and whether that may, is Debian's own.
 */
const SYSTEMCTL = String.raw`#!/bin/bash
echo "systemctl $*" >> /stage/asked
unit=/etc/systemd/system/isync-receive.service
stop() {
  kill "$(cat /stage/pid)"
  while kill -0 "$(cat /stage/pid)" 2> /dev/null; do sleep 0.05; done
  rm /stage/pid
}
start() {
  IFS=: read -r name file < <(sed -n 's/^LoadCredential=//p' $unit)
  mkdir -p /run/credentials-isync /run/isync/receive
  install -o isync "$file" "/run/credentials-isync/$name"
  chown isync /run/isync/receive
  command=$(sed -n 's|%d|/run/credentials-isync|; s/^ExecStart=//p' $unit)
  # It outlives whoever asks, and holds nothing of it open.
  setsid setpriv --reuid isync --regid isync --clear-groups $command >> /stage/log 2>&1 < /dev/null &
  echo $! > /stage/pid
  until (: </dev/tcp/127.0.0.1/7400) 2> /dev/null; do sleep 0.05; done
}
case $* in
  *start-unit*) start ;;
  *try-restart*'isync-*.service'*)
    if [ -e /stage/pid ]; then stop; start; fi ;;
  *stop*'isync-*.service'*) if [ -e /stage/pid ]; then stop; fi ;;
esac
`;

/** A pair of which the device sends a large file slowly, so that an upgrade comes in its middle. */
const PAIR = `
isync init --role server --where /srv/isync --name localhost --unit > /stage/printed
systemctl start-unit
isync init --join "$(sed -n "s/.*isync init --join '\\(.*\\)'.*/\\1/p" /stage/printed)" --where /datas
mkdir -p /datas/DC1 /datas/DC2
head -c 12M /dev/urandom > /datas/DC1/large; touch /datas/DC1/finished.parse
isync scan --config /etc/isync/scan.yaml --bwlimit 4MiB/s > /stage/scan-log 2>&1 & scan=$!
sent() { find /srv/isync -type f -size +1M | grep -q .; }
until sent; do kill -0 $scan; sleep 0.05; done
`;

/** A script: the package `old` is installed, `newer` comes over a running pair, and then it is removed and purged. */
export function upgradeUnderLoad(old: string, newer: string): string {
  return `
      rm -f /usr/sbin/policy-rc.d
      rm -f /usr/bin/systemctl; cat > /usr/bin/systemctl <<'SYSTEMCTL'
${SYSTEMCTL}
SYSTEMCTL
      chmod +x /usr/bin/systemctl; mkdir -p /run/systemd/system
      asked() { echo "asked at $1:"; cat /stage/asked; : > /stage/asked; }
      install_it() { dpkg --force-unsafe-io -i "/stage/$1" < /dev/null; }
      install_it ${old}; asked installation
      ${PAIR}
      before=$(cat /stage/pid); test ! -e /datas/DC1/finished.watch
      install_it ${newer}; asked upgrade
      test "$(cat /stage/pid)" != "$before"
      test "$(readlink /proc/$(cat /stage/pid)/exe)" = /usr/lib/isync/bin/node
      echo two > /datas/DC2/b; touch /datas/DC2/finished.parse
      until [ -e /datas/DC1/finished.watch ] && [ -e /datas/DC2/finished.watch ]; do kill -0 $scan; sleep 0.05; done
      cmp /datas/DC1/large /srv/isync/edge1/DC1/large; cmp /datas/DC2/b /srv/isync/edge1/DC2/b
      kill $scan; wait $scan || true
      mkdir -p /etc/systemd/system/multi-user.target.wants
      ln -s /etc/systemd/system/isync-receive.service /etc/systemd/system/multi-user.target.wants/
      dpkg -r ${PACKAGE}; asked removal
      test ! -e /stage/pid; test -e /etc/systemd/system/isync-receive.service
      dpkg -P ${PACKAGE}; asked purge
      ! ls /etc/systemd/system/isync-*.service /etc/systemd/system/multi-user.target.wants/isync-* 2> /dev/null
      cmp /datas/DC1/large /srv/isync/edge1/DC1/large; test -s /etc/isync/tokens.json
      echo all is well`;
}
