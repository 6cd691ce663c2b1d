/** Roles that NDropdown leaves out. Options with `checked` are announced as a choice of one. */
export const menuProps = (): { role: 'menu' } => ({ role: 'menu' });
export const nodeProps = (option: object): { role: string; 'aria-checked': 'true' | 'false' | undefined } => {
  const checked = 'checked' in option && typeof option.checked === 'boolean' ? option.checked : undefined;
  return checked === undefined
    ? { role: 'menuitem', 'aria-checked': undefined }
    : { role: 'menuitemradio', 'aria-checked': checked ? 'true' : 'false' };
};
