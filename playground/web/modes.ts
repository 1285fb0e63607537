/** How a page is built: without the plugin, in one of its deliveries, or with a preload link. */
export const WEB_MODES = ['vite', 'stream', 'range', 'inflate', 'link'] as const;

export type WebMode = (typeof WEB_MODES)[number];
