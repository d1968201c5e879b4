/** What `mount` shows as the device, without what would end or split it in an option or in the table of mounts. */
export const toSource = (source: string): string => source.replaceAll(/[\0,\\\r\n]/g, '_');
