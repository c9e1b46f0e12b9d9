import { existsSync, realpathSync } from 'node:fs';

/** Where units of the administrator are. */
const UNITS = '/etc/systemd/system';

export interface UnitFacts {
  /** `receive` or `scan`. */
  readonly command: string;
  readonly config: string;
  readonly user: string;
  /** What it writes to. */
  readonly folders: readonly string[];
}

/** Whether this machine is run by systemd, so that a unit is of use. */
export function hasSystemd(): boolean {
  return existsSync(UNITS);
}

export function unitPath(command: string): string {
  return `${UNITS}/isync-${command}.service`;
}

/** The unit of a command whose settings are all in a file. */
export function unitText({ command, config, user, folders }: UnitFacts): string {
  return `[Unit]
Description=isync ${command}
Documentation=man:isync(1)
Wants=network-online.target
After=network-online.target
RequiresMountsFor=${folders.map(quoted).join(' ')}
StartLimitIntervalSec=0

[Service]
User=${user}
ExecStart=${programWords().map(quoted).join(' ')} ${command} --config ${quoted(config)}
ExecReload=/bin/kill -HUP $MAINPID
Restart=always
RestartSec=5
SuccessExitStatus=130
LimitNOFILE=16384
NoNewPrivileges=yes
ProtectSystem=strict
ReadWritePaths=${folders.map(quoted).join(' ')}
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectControlGroups=yes
RestrictSUIDSGID=yes
LockPersonality=yes

[Install]
WantedBy=multi-user.target
`;
}

/** This program, where it really is: a unit has no PATH to speak of. */
function programWords(): string[] {
  const [, main = 'isync'] = process.argv;
  return [process.execPath, realpathSync(main)];
}

/** As systemd reads words: https://www.freedesktop.org/software/systemd/man/latest/systemd.syntax.html */
function quoted(word: string): string {
  const text = word.replaceAll('%', '%%');
  return /^[\w/.:@%+=-]+$/.test(text) ? text : `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}
