import type { Entry, PutOptions, Store } from '../../src/contract/store.ts'

/** One way to be wrong, made anew for each run, and the cases of the suite that must notice. */
export interface StoreProof {
  readonly by: () => (inner: Store) => Partial<Store>
  readonly caughtBy: readonly string[]
}

/** A store that does everything as the inner one does, except what the sabotage says. */
export function brokenStore(inner: Store, by: (inner: Store) => Partial<Store>): Store {
  return {
    system: 'broken',
    features: inner.features,
    get: (key, options) => inner.get(key, options),
    put: (key, value, options) => inner.put(key, value, options),
    touch: (key, ttl, options) => inner.touch(key, ttl, options),
    delete: (key, options) => inner.delete(key, options),
    close: () => inner.close(),
    [Symbol.asyncDispose]: () => inner.close(),
    ...by(inner),
  }
}

const put = (change: (inner: Store) => Store['put']) => () => (inner: Store) => ({ put: change(inner) })
const get =
  (change: (entry: Entry | undefined, key: string) => Entry | undefined) => () => (inner: Store) => ({
    get: async (key: string) => change(await inner.get(key), key),
  })
const keys =
  (change: (key: string) => string) =>
  () =>
  (inner: Store): Partial<Store> => ({
    get: (key, options) => inner.get(change(key), options),
    put: (key, value, options) => inner.put(change(key), value, options),
    touch: (key, ttl, options) => inner.touch(change(key), ttl, options),
    delete: (key, options) => inner.delete(change(key), options),
  })

const { signal } = new AbortController()

/** Looks, and writes a moment later: what comes between goes unseen. */
export function inTwoSteps(inner: Store): Partial<Store> {
  const meets = async (key: string, { ifAbsent = false, ifVersion }: PutOptions): Promise<boolean> => {
    const found = await inner.get(key)
    await new Promise((resolve) => setImmediate(resolve))
    return ifAbsent ? found === undefined : ifVersion === undefined || found?.version === ifVersion
  }
  return {
    async put(key, value, options = {}) {
      if (!(await meets(key, options))) return { stored: false }
      const { ttl } = options
      return await inner.put(key, value, ttl === undefined ? {} : { ttl })
    },
    delete: async (key, options = {}) => (await meets(key, options)) && (await inner.delete(key)),
  }
}

/** Wrong ways to keep values under keys. */
export const stores: Readonly<Record<string, StoreProof>> = {
  'makes text of bytes': {
    by: get((entry) => {
      if (entry === undefined || typeof entry.value === 'string') return entry
      return { ...entry, value: new TextDecoder().decode(entry.value) }
    }),
    caughtBy: [
      'a value is there as it was put: text as text, bytes as bytes',
      'a put replaces what was there, text and bytes alike',
    ],
  },
  'drops a byte order mark': {
    by: get((entry) =>
      typeof entry?.value === 'string' ? { ...entry, value: entry.value.replace(/^\uFEFF/, '') } : entry,
    ),
    caughtBy: ['a value is there as it was put: text as text, bytes as bytes'],
  },
  'finds something under every key': {
    by: get((entry) => entry ?? { value: '', version: '0' }),
    caughtBy: ['what was never put is not there', 'what was deleted is gone'],
  },
  'keeps what came first': {
    by: put((inner) => async (key, value) => {
      const found = await inner.get(key)
      return found === undefined ? await inner.put(key, value) : { stored: true, version: found.version }
    }),
    caughtBy: ['a put replaces what was there, text and bytes alike'],
  },
  'deletes nothing': {
    by: () => (inner) => ({ delete: async (key) => (await inner.get(key)) !== undefined }),
    caughtBy: ['what was deleted is gone'],
  },
  'takes capitals and small letters for the same': {
    by: keys((key) => (typeof key === 'string' ? key.toLowerCase() : key)),
    caughtBy: ['keys are equal only if each character is'],
  },
  'normalises keys': {
    by: keys((key) => (typeof key === 'string' && key.isWellFormed() ? key.normalize() : key)),
    caughtBy: ['keys are equal only if each character is'],
  },
  'takes the value after the call returned': {
    by: put((inner) => async (key, value, options) => {
      await Promise.resolve()
      return await inner.put(key, value, options)
    }),
    caughtBy: ['bytes are copied on the way in and on the way out'],
  },
  'gives out the bytes that it keeps': {
    by: () => {
      const given = new Map<string, Entry>()
      return get((entry) => {
        if (entry !== undefined && !given.has(entry.version)) given.set(entry.version, entry)
        return entry && given.get(entry.version)
      })()
    },
    caughtBy: ['bytes are copied on the way in and on the way out'],
  },
  'is the same store under every name': {
    by: () => {
      let first: Store | undefined
      return (inner) => {
        const one = (first ??= inner)
        return {
          get: (key) => one.get(key),
          put: (key, value, options) => one.put(key, value, options),
          delete: (key) => one.delete(key),
        }
      }
    },
    caughtBy: ['stores of different names have keys of their own'],
  },
  'takes what is too large': {
    by: put(
      (inner) => (key, value, options) =>
        value.length > inner.features.maxBytes
          ? inner.put(key, value.slice(0, inner.features.maxBytes - 1), options)
          : inner.put(key, value, options),
    ),
    caughtBy: ['the largest value fits; one byte more is refused, and nothing is changed'],
  },
  'counts characters, not bytes': {
    by: put((inner) => async (key, value, options) => {
      const fits = typeof value === 'string' && value.length <= inner.features.maxBytes
      return fits && new TextEncoder().encode(value).length > inner.features.maxBytes
        ? { stored: true, version: '0' }
        : await inner.put(key, value, options)
    }),
    caughtBy: ['the largest value fits; one byte more is refused, and nothing is changed'],
  },
  'has a place for what has no key': {
    by: keys((key) => key || 'nothing'),
    caughtBy: ['what is no key, value or time is refused'],
  },
  'has no conditions': {
    by: () => (inner) => ({
      put: (key, value, { ttl } = {}) => inner.put(key, value, ttl === undefined ? {} : { ttl }),
      touch: (key, ttl) => inner.touch(key, ttl),
      delete: (key) => inner.delete(key),
    }),
    caughtBy: [
      'ifAbsent stores only where nothing is, and changes nothing else',
      'ifVersion stores only over that version, and changes nothing else',
      'delete and touch with ifVersion strike only that version',
      'conditions that cannot be meant are refused, and nothing is changed',
      'once its ttl is over, ifAbsent finds nothing there, and ifVersion not that version',
    ],
  },
  'says that it has no conditions, and has some': {
    by: () => (inner) => ({ features: { ...inner.features, atomic: false } }),
    caughtBy: ['a store that is not atomic refuses every condition, and changes nothing'],
  },
  'makes a version of the value': {
    by: put((inner) => async (key, value, options) => {
      const result = await inner.put(key, value, options)
      return result.stored ? { stored: true, version: String(value) } : result
    }),
    caughtBy: ['a key never has a version twice, whatever was put and deleted'],
  },
  'tells another entry than is there': {
    by: put((inner) => async (key, value, options) => {
      const result = await inner.put(key, value, options)
      return result.stored ? result : { stored: false, current: { value, version: '0' } }
    }),
    caughtBy: [
      'ifAbsent stores only where nothing is, and changes nothing else',
      'ifVersion stores only over that version, and changes nothing else',
    ],
  },
  'looks first and writes a moment later': {
    by: () => inTwoSteps,
    caughtBy: [
      'of 20 who put the same key at once, if it is absent, one does',
      '20 who count up one entry at once, each over the version it read, lose no count',
      'of 20 who delete or replace the same version at once one does',
    ],
  },
  'lets entries go early': {
    by: put(
      (inner) =>
        (key, value, options = {}) =>
          inner.put(
            key,
            value,
            typeof options.ttl === 'number' ? { ...options, ttl: options.ttl / 2 } : options,
          ),
    ),
    caughtBy: ['an entry stays until its ttl is over, never less, and is gone then'],
  },
  'keeps everything for good': {
    by: put(
      (inner) => (key, value, options) =>
        inner.put(key, value, options?.ttl === undefined ? options : { ...options, ttl: '7d' }),
    ),
    caughtBy: [
      'an entry stays until its ttl is over, never less, and is gone then',
      'once its ttl is over an entry is as if it had never been, for every call',
      'once its ttl is over, ifAbsent finds nothing there, and ifVersion not that version',
      'many entries that expire take none with them that does not',
    ],
  },
  'deletes what is over and says so': {
    by: () => (inner) => ({ delete: async (key) => (await inner.delete(key)) || true }),
    caughtBy: ['once its ttl is over an entry is as if it had never been, for every call'],
  },
  'keeps the ttl of before': {
    by: () => {
      const ttls = new Map<string, PutOptions['ttl']>()
      return put((inner) => (key, value, options = {}) => {
        const ttl = options.ttl ?? ttls.get(key)
        ttls.set(key, ttl)
        return inner.put(key, value, ttl === undefined ? options : { ...options, ttl })
      })()
    },
    caughtBy: ['a put says how long the value stays, whatever was said before'],
  },
  'does not touch': {
    by: () => (inner) => ({ touch: async (key) => (await inner.get(key))?.version }),
    caughtBy: ['touch makes an entry stay for longer, or for less, and leaves its value'],
  },
  'drops others with what is over': {
    by: () => (inner) => ({
      async get(key) {
        const entry = await inner.get(key)
        if (entry === undefined) await inner.delete('key 3')
        return entry
      },
    }),
    caughtBy: ['many entries that expire take none with them that does not'],
  },
  'does not look at signals': {
    by: () => (inner) => ({
      get: (key) => inner.get(key, { signal }),
      put: (key, value, options) => inner.put(key, value, { ...options, signal }),
      touch: (key, ttl, options) => inner.touch(key, ttl, { ...options, signal }),
      delete: (key, options) => inner.delete(key, { ...options, signal }),
    }),
    caughtBy: ['a call that is aborted beforehand does nothing and says so'],
  },
  'does nothing with a signal': {
    by: put(
      (inner) =>
        (key, value, options = {}) =>
          options.signal === undefined
            ? inner.put(key, value, options)
            : Promise.reject(new Error('aborted')),
    ),
    caughtBy: ['calls with a signal that is aborted later work as others do'],
  },
  'does not close': {
    by: () => () => ({ close: async () => {} }),
    caughtBy: ['close lets what is under way end; then everything but closing is STOPPED'],
  },
  'takes what it has put with it': {
    by: () => (inner) => ({
      async close() {
        await inner.delete('a').catch(() => false)
        await inner.close()
      },
    }),
    caughtBy: ['what one instance put is there when it is closed'],
  },
}
