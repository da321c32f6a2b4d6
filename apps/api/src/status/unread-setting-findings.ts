import type { UnreadSetting } from '@holdfast/shared/config';
import type { Finding } from '@holdfast/shared/durability';

/** UNREAD_SETTING, once for all variables that look like a setting under a wrong name. */
export function unreadSettingFindings(unread: readonly UnreadSetting[]): Finding[] {
  if (unread.length === 0) return [];
  const names = unread.map(({ name, meant }) => `${name} (${meant}?)`).join(', ');
  return [
    {
      code: 'UNREAD_SETTING',
      severity: 'notice',
      message: `Nobody reads these variables, and what was probably meant is not set: ${names}.`,
      fix: 'Rename them, or remove them. Then start again.',
    },
  ];
}
