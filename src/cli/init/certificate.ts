import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { certificateFacts } from '../../http/certificate.ts';
import { errnoOf, IsyncError } from '../../model/isync-error.ts';
import { placeFile, type PlaceOptions, replaceFile } from './place.ts';

/** How long an authority of ours stands, in days: devices trust it by its fingerprint, so it must outlive them. */
const AUTHORITY_DAYS = 7300;
/** The most that Apple's and others' rules allow for a server's, in days. */
const SERVER_DAYS = 825;
/** A certificate that ends sooner than this is made anew, in ms. */
const RENEW_BEFORE_MS = 60 * 86_400_000;

export interface Certificates {
  /** The server's, and behind it that of the authority. */
  readonly cert: string;
  readonly key: string;
  /** SHA-256 of the authority's certificate, in hex. */
  readonly fingerprint: string;
  readonly isNew: boolean;
}

/**
 * The certificate of a server at `host`, below `folder`. One of another authority is used as it is, and never written to. Else it is made, and
 * made anew before it ends, by an authority of one's own, which is made first where there is none.
 * @throws IsyncError CONFIG_INVALID: no openssl, files that can't be read or written, or that do not fit together
 */
export async function makeCertificates(
  folder: string,
  host: string,
  { owner }: Pick<PlaceOptions, 'owner'>,
): Promise<Certificates> {
  const at = (name: string): string => join(folder, name);
  const [cert, key] = [at('cert.pem'), at('key.pem')];
  const chain = certificatesIn(cert);
  const [server] = chain;
  const [authority] = certificatesIn(at('ca.pem'));
  const isForeign = server !== undefined && (authority === undefined || !server.verify(authority.publicKey));
  if (isForeign) return { cert, key, fingerprint: issuerOf(chain, cert, host), isNew: false };
  const scratch = mkdtempSync(join(tmpdir(), 'isync-init-'));
  try {
    const own = authority ?? (await makeAuthority(folder, host, scratch));
    const fingerprint = fingerprintOf(own);
    if (server !== undefined && existsSync(key) && isGood(server, host))
      return { cert, key, fingerprint, isNew: false };
    if (!existsSync(at('ca-key.pem')))
      throw new IsyncError(
        'CONFIG_INVALID',
        'the key of the authority is not here, and a certificate is to be made',
        {
          path: at('ca-key.pem'),
          hint: 'Put it there for as long as this runs.',
        },
      );
    // Names that devices use by now stay.
    const names = new Set([
      host,
      ...(server === undefined ? [] : (certificateFacts(server.raw)?.names ?? [])),
    ]);
    // A key stays: systemd has given it to the service that runs, which takes a new certificate by itself.
    const isNewKey = !existsSync(key);
    sign({ folder, scratch, names: [...names], key: isNewKey ? undefined : key });
    if (isNewKey)
      await replaceFile(key, readFileSync(join(scratch, 's-key.pem'), 'utf8'), { mode: 0o600, owner });
    const made = readFileSync(join(scratch, 's.pem'), 'utf8');
    await replaceFile(cert, `${made}${own.toString()}`, { mode: 0o644 });
    return { cert, key, fingerprint, isNew: true };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** The names of the certificate that is there; none where there is none. @throws IsyncError CONFIG_INVALID */
export function knownNames(folder: string): readonly string[] {
  const [server] = certificatesIn(join(folder, 'cert.pem'));
  return (server && certificateFacts(server.raw)?.names) ?? [];
}

/** Its key is made first, and kept where one is there: a run may have been cut between the two. */
async function makeAuthority(folder: string, host: string, scratch: string): Promise<X509Certificate> {
  const key = join(folder, 'ca-key.pem');
  const ofKey = existsSync(key) ? ['req', '-new', '-key', key] : [...NEW_KEY, '-keyout', 'a-key.pem'];
  const use = ['basicConstraints=critical,CA:TRUE,pathlen:0', 'keyUsage=critical,keyCertSign,cRLSign'];
  openssl(
    [
      ...ofKey,
      '-x509',
      '-days',
      String(AUTHORITY_DAYS),
      '-subj',
      `/CN=isync ${host}`,
      '-out',
      'a.pem',
      ...use.flatMap((text) => ['-addext', text]),
    ],
    scratch,
  );
  // Only root signs with it: a service that is broken into can't make certificates.
  if (!existsSync(key))
    await placeFile(key, readFileSync(join(scratch, 'a-key.pem'), 'utf8'), { mode: 0o600 });
  const made = readFileSync(join(scratch, 'a.pem'), 'utf8');
  await replaceFile(join(folder, 'ca.pem'), made, { mode: 0o644 });
  return new X509Certificate(made);
}

interface ToSign {
  readonly folder: string;
  readonly scratch: string;
  readonly names: readonly string[];
  /** Undefined: a new one is made, as s-key.pem. */
  readonly key: string | undefined;
}

/** Makes s.pem in the scratch folder. */
function sign({ folder, scratch, names, key }: ToSign): void {
  const alternative = names.map((name) => `${isIP(name) === 0 ? 'DNS' : 'IP'}:${name}`).join(',');
  const extensions = [
    `subjectAltName=${alternative}`,
    'extendedKeyUsage=serverAuth',
    'basicConstraints=critical,CA:FALSE',
  ];
  writeFileSync(join(scratch, 'ext'), `${extensions.join('\n')}\n`);
  const ofKey = key === undefined ? [...NEW_KEY, '-keyout', 's-key.pem'] : ['req', '-new', '-key', key];
  openssl([...ofKey, '-subj', `/CN=${names[0] ?? ''}`, '-out', 's.csr'], scratch);
  const authority = ['-CA', join(folder, 'ca.pem'), '-CAkey', join(folder, 'ca-key.pem')];
  const serial = ['-CAcreateserial', '-CAserial', 'serial', '-days', String(SERVER_DAYS)];
  openssl(
    ['x509', '-req', '-in', 's.csr', ...authority, ...serial, '-extfile', 'ext', '-out', 's.pem'],
    scratch,
  );
}

/**
 * The fingerprint by which devices take a certificate of another authority.
 * @throws IsyncError CONFIG_INVALID where it is not for the host, or its issuer is not behind it in the file
 */
function issuerOf(chain: readonly X509Certificate[], path: string, host: string): string {
  const [server] = chain;
  const issuer = server && chain.find((each) => server.verify(each.publicKey));
  if (server !== undefined && !isFor(server, host))
    throw new IsyncError('CONFIG_INVALID', `the certificate that is there is not for ${host}`, {
      path,
      hint: 'Give the name that it is for with --name, or have one made for this name.',
    });
  if (issuer !== undefined) return fingerprintOf(issuer);
  throw new IsyncError('CONFIG_INVALID', 'the certificate that is there does not have its issuer behind it', {
    path,
    hint: 'Append the certificate of its issuer: devices know the server by its fingerprint.',
  });
}

/** Those in a PEM file, the first one first; none where there is no file. */
function certificatesIn(path: string): X509Certificate[] {
  if (!existsSync(path)) return [];
  const blocks = readFileSync(path, 'utf8').match(
    /-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----/gs,
  );
  try {
    return (blocks ?? []).map((block) => new X509Certificate(block));
  } catch (error) {
    throw new IsyncError('CONFIG_INVALID', 'it is no certificate', {
      path,
      cause: error,
      hint: 'Move it away.',
    });
  }
}

const NEW_KEY = ['req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

/** Returns the SHA-256 of a certificate in DER, in hex without colons. */
export function fingerprintOf(certificate: X509Certificate): string {
  return certificate.fingerprint256.replaceAll(':', '').toLowerCase();
}

function isGood(certificate: X509Certificate, host: string): boolean {
  return isFor(certificate, host) && certificate.validToDate.getTime() - Date.now() > RENEW_BEFORE_MS;
}

function isFor(certificate: X509Certificate, host: string): boolean {
  return (isIP(host) === 0 ? certificate.checkHost(host) : certificate.checkIP(host)) !== undefined;
}

function openssl(args: readonly string[], cwd: string): void {
  try {
    execFileSync('openssl', args, {
      cwd,
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, RANDFILE: join(cwd, 'rnd') },
    });
  } catch (error) {
    const isMissing = errnoOf(error) === 'ENOENT';
    throw new IsyncError(
      'CONFIG_INVALID',
      isMissing
        ? 'openssl is not installed, so no certificate can be made'
        : `openssl can't make a certificate: ${lastLineOf(error)}`,
      {
        cause: error,
        hint: isMissing
          ? 'apt-get install openssl; or put a certificate and its key where --settings says, as cert.pem and key.pem.'
          : undefined,
      },
    );
  }
}

function lastLineOf(error: unknown): string {
  const stderr = typeof error === 'object' && error !== null && 'stderr' in error ? String(error.stderr) : '';
  return stderr.trim().split('\n').at(-1) ?? '';
}
