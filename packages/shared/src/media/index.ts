export { formats } from './formats.js';
export {
  isAllowedType,
  isUnpushed,
  mediaLimits,
  mediaRecord,
  mediaStatuses,
  resourceTypeOf,
  resourceTypes,
  SLOWEST_BYTES_PER_SECOND,
  unmeasured,
  type Measured,
  type MediaRecord,
  type MediaSource,
  type MediaStatus,
  type ResourceType,
} from './media-record.js';
export {
  doctorPrefix,
  idFromPublicId,
  idOfFoundAsset,
  isMediaId,
  isOwnId,
  newMediaId,
  publicIdFor,
  timeOfId,
} from './media-id.js';
export {
  bindingOf,
  isOwnKey,
  readHostMetadata,
  writeHostMetadata,
  type Carried,
  type CarriedFields,
  type CommitMark,
  type HostMetadata,
  type UploadClaim,
} from './host-metadata.js';
export {
  atItsPlace,
  bindingIn,
  fieldsWithoutMark,
  isNameless,
  isOfAnotherDeployment,
  isSameTags,
  recordFromAsset,
  recordOf,
  withKnown,
  type AssetFacts,
} from './record-from-asset.js';
export {
  editableFields,
  editBase,
  editsOnHostOnly,
  isNumberedTwice,
  pickEditable,
  type EditableFields,
  type MergeBase,
  type Side,
} from './host-edits.js';
export { hostOfUrl, isOnAnotherHost, type HostIdentity } from './host-identity.js';
