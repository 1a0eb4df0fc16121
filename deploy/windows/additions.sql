-- What wixl has no element for, written into the tables of the package afterwards. One statement a
-- paragraph; names and numbers as on Microsoft's pages "Database Tables" and "CustomAction Table".

UPDATE `Property` SET `Value`='$secure' WHERE `Property`='SecureCustomProperties'

-- A package of the same version replaces the one that is there, too (msidbUpgradeAttributesVersionMaxInclusive).
DELETE FROM `Upgrade` WHERE `ActionProperty`='WIX_UPGRADE_DETECTED'

INSERT INTO `Upgrade` (`UpgradeCode`, `VersionMax`, `Attributes`, `ActionProperty`) VALUES ('{$upgrade_code}', '$version', 513, 'WIX_UPGRADE_DETECTED')

-- The old one goes inside the transaction, so that a failure brings it back.
UPDATE `InstallExecuteSequence` SET `Sequence`=1501 WHERE `Action`='RemoveExistingProducts'

-- No accents: the code page of a message is that of the computer it is shown on.
INSERT INTO `LaunchCondition` (`Condition`, `Description`) VALUES ('Installed OR WINDOWS10', 'May tinh can Windows 10 tro len. / Windows 10 or later is needed.')

-- The hand-over is made only where a token is given, and goes with the program (a component with a registry key path, 64 bits).
UPDATE `Component` SET `Condition`='TOKEN OR Installed' WHERE `Component`='HandOver'

UPDATE `Component` SET `Attributes`=260 WHERE `Component`='HandOver'

UPDATE `Component` SET `KeyPath`='HandOverUrl' WHERE `Component`='HandOver'

-- Only SYSTEM and administrators may read it.
CREATE TABLE `MsiLockPermissionsEx` (`MsiLockPermissionsEx` CHAR(72) NOT NULL, `LockObject` CHAR(72) NOT NULL, `Table` CHAR(32) NOT NULL, `SDDLText` CHAR(0) NOT NULL, `Condition` CHAR(255) PRIMARY KEY `MsiLockPermissionsEx`)

INSERT INTO `MsiLockPermissionsEx` (`MsiLockPermissionsEx`, `LockObject`, `Table`, `SDDLText`) VALUES ('HandOver', 'HandOverToken', 'Registry', 'D:P(A;CI;KA;;;SY)(A;CI;KA;;;BA)')

-- A service that cannot be made is a failed installation (msidbServiceInstallErrorControlVital).
UPDATE `ServiceInstall` SET `ErrorControl`=32769 WHERE `ServiceInstall`='Service'

-- It starts after the others (SERVICE_CONFIG_DELAYED_AUTO_START_INFO), from the first start of the
-- computer on. The recovery actions are set by the service itself: the table for them is known to fail.
CREATE TABLE `MsiServiceConfig` (`MsiServiceConfig` CHAR(72) NOT NULL, `Name` CHAR(255) NOT NULL, `Event` INT NOT NULL, `ConfigType` INT NOT NULL, `Argument` CHAR(0), `Component_` CHAR(72) NOT NULL PRIMARY KEY `MsiServiceConfig`)

INSERT INTO `MsiServiceConfig` (`MsiServiceConfig`, `Name`, `Event`, `ConfigType`, `Argument`, `Component_`) VALUES ('DelayedStart', 'hatang-agent', 1, 3, '1', '$python')

INSERT INTO `InstallExecuteSequence` (`Action`, `Condition`, `Sequence`) VALUES ('MsiConfigureServices', 'VersionMsi >= "5.00"', 5850)

-- Started at once, by a program whose failure is passed over: a computer that is too slow or blocks the
-- service now has it installed all the same, and starts it at its next start. 3170: a program by its
-- folder (34), a failure of which is passed over (64), deferred (1024), as SYSTEM (2048).
INSERT INTO `CustomAction` (`Action`, `Type`, `Source`, `Target`) VALUES ('StartService', 3170, 'System64Folder', '"[System64Folder]sc.exe" start hatang-agent')

INSERT INTO `InstallExecuteSequence` (`Action`, `Condition`, `Sequence`) VALUES ('StartService', 'NOT REMOVE="ALL"', 6598)

-- Uninstalling takes the state along, upgrading does not.
INSERT INTO `CustomAction` (`Action`, `Type`, `Source`, `Target`) VALUES ('RemoveState', 3170, 'System64Folder', '"[System64Folder]cmd.exe" /d /c rmdir /s /q "[CommonAppDataFolder]hatang-agent"')

INSERT INTO `InstallExecuteSequence` (`Action`, `Condition`, `Sequence`) VALUES ('RemoveState', 'REMOVE="ALL" AND NOT UPGRADINGPRODUCTCODE', 6599)
