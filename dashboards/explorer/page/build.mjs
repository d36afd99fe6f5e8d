// Builds the page into the folder given, or ../assets: `make explorer`.
import { build } from 'esbuild'
import { copyFile, mkdir } from 'node:fs/promises'

const to = process.argv[2] ?? '../assets'
await mkdir(to, { recursive: true })
await build({
  entryPoints: { app: 'src/main.tsx' },
  outdir: to,
  bundle: true,
  minify: true,
  format: 'esm',
  target: 'es2022',
  jsx: 'automatic',
  jsxImportSource: 'preact',
  legalComments: 'eof',
  logLevel: 'warning',
})
await copyFile('src/index.html', `${to}/index.html`)
await copyFile('src/icon.svg', `${to}/icon.svg`)
