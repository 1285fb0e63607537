/** Emits files by webpack's loader interface, and names them as webpack names assets. */
import type { AssetInfo, Compilation, Compiler, LoaderContext } from 'webpack';
import type { EmittedFile } from '../../build/bundler-context.ts';
import type { Platform } from '../../build/codegen/module-source.ts';
import type { HashPlace } from '../../build/output/find-hash.ts';
import type { OutputFile } from '../../build/output/rewrite-output.ts';
import { encodePath } from '../../common/encode-path.ts';
import { sha256 } from '../../common/sha256.ts';

/** webpack's default template for assets, which has no name. */
const NAMELESS = /^\[hash\]\[ext\](\[query\])?(\[fragment\])?$/;

type AssetFileName = Extract<
  Compilation['outputOptions']['assetModuleFilename'],
  (...data: never[]) => string
>;

/** A file's path in the output, with what webpack knows of the hashes in it. */
interface PlacedFile {
  path: string;
  info: AssetInfo;
}

/** The files that a compiler has emitted. */
export class Emitter {
  /** By path in the output. */
  readonly #emitted = new Map<string, { digest: string; resource: string; info: AssetInfo }>();

  /**
   * Emits a file by the module that is being loaded. A later build that takes the module from the cache then emits the
   * file, too.
   */
  emit(
    loader: LoaderContext<unknown>,
    compilation: Compilation,
    name: string,
    source: Uint8Array,
    platform: Platform,
  ): EmittedFile {
    const digest = sha256(source);
    const resource = loader.resourcePath;
    const { path, info } = this.#place(compilation, name, digest, resource);
    this.#emitted.set(path, { digest, resource, info });
    // Not the info with the hash: webpack would then replace the hash in the name.
    loader.emitFile(path, Buffer.from(source), undefined, { immutable: info.immutable === true });
    return { id: fileOf(path), url: urlOf(path, platform) };
  }

  /** Emits a file after all modules are loaded. */
  emitAsset(compiler: Compiler, compilation: Compilation, name: string, source: Uint8Array): EmittedFile {
    const digest = sha256(source);
    const { path, info } = this.#place(compilation, name, digest, digest);
    this.#emitted.set(path, { digest, resource: digest, info });
    if (!compilation.getAsset(path)) {
      const { RawSource } = compiler.webpack.sources;
      compilation.emitAsset(path, new RawSource(Buffer.from(source)), { immutable: info.immutable === true });
    }
    return { id: path, url: JSON.stringify(path) };
  }

  /** Describes an asset of a compilation. */
  describe(name: string, info: AssetInfo): OutputFile {
    return { name, hash: findHash(name, this.#emitted.get(name)?.info ?? info) };
  }

  #place(compilation: Compilation, name: string, digest: string, resource: string): PlacedFile {
    const placed = placeFile(compilation, name, digest);
    const other = this.#emitted.get(placed.path);
    if (other === undefined || other.digest === digest || other.resource === resource) return placed;
    // The template has no hash, and another module has a file of the same name.
    const suffix = `-${digest.slice(0, 8)}`;
    return placeFile(compilation, name.replace(/(\.\w+)$/, `${suffix}$1`), digest);
  }
}

/** Names a file by the option `output.assetModuleFilename`. */
function placeFile(compilation: Compilation, filename: string, digest: string): PlacedFile {
  const { assetModuleFilename, hashDigestLength = 20 } = compilation.outputOptions;
  const contentHash = digest.slice(0, hashDigestLength);
  // Without a module webpack replaces no hash.
  const module = { id: contentHash, hash: contentHash };
  const data = { filename, contentHash, module } as unknown as Parameters<AssetFileName>[0];
  const template =
    typeof assetModuleFilename === 'function' ? assetModuleFilename(data) : assetModuleFilename;
  const hashed =
    template === undefined || NAMELESS.test(template)
      ? '[name]-[contenthash][ext]'
      : template.replaceAll('[hash', '[contenthash');
  return compilation.getPathWithInfo(hashed, data);
}

/** Returns the expression for a file's URL, the same in all chunks. In Node, `publicPath` does not locate files. */
export function urlOf(path: string, platform: Platform): string {
  const url = JSON.stringify(encodePath(path));
  return platform === 'browser'
    ? `__webpack_public_path__ + ${url}`
    : `new URL(${url}, __webpack_base_uri__).href`;
}

/** Returns the path of an asset's file: the name of an asset may have a query. */
export function fileOf(name: string): string {
  return name.split('?', 1)[0] ?? name;
}

function findHash(name: string, info: AssetInfo): HashPlace | undefined {
  const hashes = [info.contenthash, info.chunkhash, info.fullhash, info.modulehash]
    .flat()
    .filter((hash) => typeof hash === 'string' && name.includes(hash));
  const [hash] = hashes;
  return hash === undefined ? undefined : { start: name.indexOf(hash), length: hash.length };
}
