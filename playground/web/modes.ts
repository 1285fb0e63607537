/** Modes of a page: without the plugin, in one of its deliveries, or with a preload link. */
export const WEB_MODES = ['vite', 'stream', 'range', 'inflate', 'link'] as const;

/**
 * Deliveries with splitting by a startup profile; `all`: `stream`, with preloading of lazily imported modules
 * as well.
 */
export const SPLIT_MODES = ['stream-split', 'range-split', 'inflate-split', 'all-split'] as const;

export const ALL_WEB_MODES = [...WEB_MODES, ...SPLIT_MODES];

export type PageMode = (typeof WEB_MODES)[number];

export type WebMode = (typeof ALL_WEB_MODES)[number];
