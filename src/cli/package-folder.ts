/** The folder of package.json, which lies two above both src/cli and dist/cli. */
export const PACKAGE_FOLDER = new URL('../../', import.meta.url);
