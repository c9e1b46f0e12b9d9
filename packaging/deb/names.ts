/** Debian's own `isync` is a mail tool. It has other files than this package, so both can be installed. */
export const PACKAGE = 'isync-files';

/** Where isync and its Node lie in the package. */
export const HOME = 'usr/lib/isync';

const ARCHITECTURES: Partial<Record<NodeJS.Architecture, string>> = { x64: 'amd64', arm64: 'arm64' };

/** Debian's name for the machine this runs on: Node is that of this machine. */
export const ARCHITECTURE = ARCHITECTURES[process.arch] ?? process.arch;

/** Who answers for the package, in the variables that Debian's own tools read (dch(1)). */
export const MAINTAINER = `${process.env['DEBFULLNAME'] ?? 'isync'} <${process.env['DEBEMAIL'] ?? 'isync@example.org'}>`;
