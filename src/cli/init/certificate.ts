import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
 * Makes an authority of one's own and the certificate of a server at `host`, below `folder`; what is there and good for a while is kept.
 * @throws IsyncError CONFIG_INVALID: no openssl, or files that can't be read or written
 */
export async function makeCertificates(
  folder: string,
  host: string,
  { owner }: Pick<PlaceOptions, 'owner'>,
): Promise<Certificates> {
  const at = (name: string): string => join(folder, name);
  const [caCert, caKey] = [at('ca.pem'), at('ca-key.pem')];
  const [cert, key] = [at('cert.pem'), at('key.pem')];
  const scratch = mkdtempSync(join(tmpdir(), 'isync-init-'));
  const run = (args: readonly string[]): void => openssl(args, scratch);
  const made = (name: string): string => readFileSync(join(scratch, name), 'utf8');
  try {
    if (!existsSync(caCert) || !existsSync(caKey)) {
      run([
        ...NEW_KEY,
        '-x509',
        '-days',
        String(AUTHORITY_DAYS),
        '-subj',
        `/CN=isync ${host}`,
        '-keyout',
        'a-key.pem',
        '-out',
        'a.pem',
        ...ext('basicConstraints=critical,CA:TRUE,pathlen:0'),
        ...ext('keyUsage=critical,keyCertSign,cRLSign'),
      ]);
      // Only root signs with it: a service that is broken into can't make certificates.
      await placeFile(caKey, made('a-key.pem'), { mode: 0o600 });
      await replaceFile(caCert, made('a.pem'), { mode: 0o644 });
    }
    const authority = readFileSync(caCert, 'utf8');
    const fingerprint = fingerprintOf(new X509Certificate(authority));
    if (isGood(cert, key, host)) return { cert, key, fingerprint, isNew: false };
    const alternative = `${isIP(host) === 0 ? 'DNS' : 'IP'}:${host}`;
    writeFileSync(
      join(scratch, 'ext'),
      `subjectAltName=${alternative}\nextendedKeyUsage=serverAuth\nbasicConstraints=critical,CA:FALSE\n`,
    );
    // A key stays: systemd has given it to the service that runs, which takes a new certificate by itself.
    const isNewKey = !existsSync(key);
    const ofKey = isNewKey ? [...NEW_KEY, '-keyout', 's-key.pem'] : ['req', '-new', '-key', key];
    run([...ofKey, '-subj', `/CN=${host}`, '-out', 's.csr']);
    run([
      'x509',
      '-req',
      '-in',
      's.csr',
      '-CA',
      caCert,
      '-CAkey',
      caKey,
      '-CAcreateserial',
      '-CAserial',
      'serial',
      '-days',
      String(SERVER_DAYS),
      '-extfile',
      'ext',
      '-out',
      's.pem',
    ]);
    if (isNewKey) await replaceFile(key, made('s-key.pem'), { mode: 0o600, owner });
    await replaceFile(cert, `${made('s.pem')}${authority}`, { mode: 0o644 });
    return { cert, key, fingerprint, isNew: true };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

const NEW_KEY = ['req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

function ext(text: string): string[] {
  return ['-addext', text];
}

/** Returns the SHA-256 of a certificate in DER, in hex without colons. */
export function fingerprintOf(certificate: X509Certificate): string {
  return certificate.fingerprint256.replaceAll(':', '').toLowerCase();
}

function isGood(cert: string, key: string, host: string): boolean {
  if (!existsSync(cert) || !existsSync(key)) return false;
  const certificate = new X509Certificate(readFileSync(cert));
  const isFor = isIP(host) === 0 ? certificate.checkHost(host) : certificate.checkIP(host);
  return isFor !== undefined && certificate.validToDate.getTime() - Date.now() > RENEW_BEFORE_MS;
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
